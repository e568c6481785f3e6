producer_a.publish("Hi Mr. Adam")
producer_b.publish("Hi Mr. Bob")
producer_a.publish("OTP = 12432", expiration=20)
producer_b.publish("OTP = 32412", expiration=60)
