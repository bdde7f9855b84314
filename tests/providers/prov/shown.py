"""What the demo's course shows in the end: tests/flow/test_demo.py takes these tests."""

GRADES = {"nursing": "3.00"}
DESKS = {"nursing": "Prov's desk"}
