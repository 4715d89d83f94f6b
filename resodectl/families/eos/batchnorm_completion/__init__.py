"""Matrix completion with batch normalisation of the observed entries, trained by descent with weight decay."""
