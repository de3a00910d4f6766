"""What a graph, a layout and a run of UMAP say in numbers: one module a measure."""
