"""Everything that imports Ray: Tune decides where trials run, Train runs several workers."""
