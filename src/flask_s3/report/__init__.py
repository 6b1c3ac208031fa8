"""The report: what an app publishes, who refers to what, and what is wrong, as one page."""
