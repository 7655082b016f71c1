"""Fits: settings, components, their re-application, bootstrap, files."""
