"""umapinfo: what UMAP's optimisation does, traced and measured with the terms of information theory."""

__version__ = "0.1.0"
