"""Fuzz targets for what reads hostile bytes."""
