"""One verb a file: `run(command, ports)` asks the ports, decides with the domain, tells the ports. All idempotent."""
