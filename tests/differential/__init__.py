"""What a bare Django sends, against what it sends with the app installed: see docs/migrating.rst.

`run.py` carries out the entries of `cases_*.py` in a process, `test_differential.py` compares two
of those, and `differences.py` names what may differ, with the reason.
"""
