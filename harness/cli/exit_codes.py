"""What the command's exit code says."""

EXIT_GOOD = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
