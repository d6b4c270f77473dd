"""SQL that is written once: questions that are asked again and again, and rows that are written for every image."""
