"""What the gradebook should show: results, scores, deliveries, and what the LMS shows."""
