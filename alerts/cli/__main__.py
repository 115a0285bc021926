"""`python -m alerts.cli`: the console command without its script, as the supervisor starts roles."""

from alerts.cli import main

main()
