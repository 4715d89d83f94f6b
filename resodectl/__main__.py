"""`python -m resodectl`."""

from resodectl.cli.main import main

main()
