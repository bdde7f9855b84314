"""What the demo's course shows in the end: tests/flow/test_demo.py takes these tests."""

GRADES = {"bread": "33.33", "tea": "33.33"}
