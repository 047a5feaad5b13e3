"""Stand-ins for packages that the documentation uses, and that need not be installed.

The folder goes to the end of `sys.path`, so that a package that is installed comes first.
"""
