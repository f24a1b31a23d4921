"""`tabspec evaluate`: quality of a model on projects that it was not trained on."""
