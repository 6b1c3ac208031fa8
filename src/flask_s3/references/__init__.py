"""Finds what a file refers to, by its language: one module a language, bytes in, references out."""

from .reference import Found, Reference

__all__ = ["Found", "Reference"]
