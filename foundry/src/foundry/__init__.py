"""Provide the engine, tools and images of a test cluster, built where no container registry can be reached."""
