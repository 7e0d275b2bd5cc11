"""Experiments: experiments hold trials, trials hold components, and a job started with ExperimentConfig is one."""
