"""Tools for the tests of projects that send mail."""
