"""Isolation in Docker containers."""
