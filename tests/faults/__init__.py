"""Counts are exact under any fault: workers as processes of their own, and whatever can be done to them."""
