"""Loss and sharpness along full-batch descent, and the thresholds that sharpness stops at."""
