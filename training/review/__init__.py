"""Proposals looked at by a person: a sheet of pictures, and pages that work in any browser without a server."""
