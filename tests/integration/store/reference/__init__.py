"""What the store should do, in plain Python: the scripts are driven beside it (tests/integration/store/test_model.py).

`state` holds it all, each other module is one kind of transition, `comparing` says where the store differs.
"""
