module event-readers

go 1.23.0

// Of both the SDK needs no more here than their types: no broker is asked, and nothing is logged.
replace (
	github.com/IBM/sarama => ./sarama
	go.uber.org/zap => ./zap
)

require (
	github.com/IBM/sarama v1.45.2
	github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2 v2.16.2
	github.com/cloudevents/sdk-go/v2 v2.16.2
)

require (
	github.com/json-iterator/go v1.1.12 // indirect
	github.com/modern-go/concurrent v0.0.0-20180306012644-bacd9c7ef1dd // indirect
	github.com/modern-go/reflect2 v1.0.2 // indirect
	go.uber.org/zap v1.27.0 // indirect
)
