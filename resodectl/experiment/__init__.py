"""What an author of an experiment imports: settings, cells, columns, context; and the catalogue of all experiments."""
