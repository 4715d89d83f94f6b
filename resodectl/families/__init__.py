"""The families of experiments, one folder each: `<family>/<experiment>/{spec,simulation,analysis}.py`."""
