"""Tests of the cross-validation on photographs."""
