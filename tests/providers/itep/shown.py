"""What the demo's course shows in the end: tests/flow/test_demo.py takes these tests."""

GRADES = {"english": "50.00", "english-by-mail": "50.00"}
DESKS = {"english": "iTEP's desk", "english-by-mail": "iTEP's desk"}
