"""Make this a package: one of the installed distributions has a `tests` too, which would hide a plain folder."""
