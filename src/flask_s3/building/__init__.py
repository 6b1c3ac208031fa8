"""From an app's files to objects and a manifest. Knows no network and no bucket."""
