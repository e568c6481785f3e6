with Connection(rabbit_url, heartbeat=4) as conn:
    time.sleep(25)
    worker = Worker(conn, queues)
    worker.run()
