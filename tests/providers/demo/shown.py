"""What the demo's course shows in the end: tests/flow/test_demo.py takes these tests."""

GRADES = {"geography": "33.33"}
