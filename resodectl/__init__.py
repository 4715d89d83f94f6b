"""Reproduce the figures of papers on the continuous limits of deep learning, and check what each figure claims."""
