"""The shape of requests to scripts and of their answers.

A request is a map. Its rows, and the rows of an answer, are arrays: their order is written here, and
tests/unit/store/test_wire.py checks that the scripts have the same. Bodies, contents and attempts go beside it.

Rows that there are thousands of are made by position (`kw_only=False`): in half the time of keywords.
"""
