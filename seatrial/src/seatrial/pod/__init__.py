"""Code that is shipped into the runner pod. Python 3.9 or newer, standard library and pytest only."""
