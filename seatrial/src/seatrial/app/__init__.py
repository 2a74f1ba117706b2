"""What commands do, without click: find and create environments, run the pipeline in them, inspect and remove them."""
