"""Whom routes tell: one module for each kind. `target.py` makes them of the settings, `sending.py` says what they have
in common.
"""
