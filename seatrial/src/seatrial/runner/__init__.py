"""Drive pytest in the runner pod from the host: send files, follow the stream of results, show and judge them."""
