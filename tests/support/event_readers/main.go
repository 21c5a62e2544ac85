// Reads messages of Kafka with CloudEvents' SDK for Go: a line of JSON in, one out, with what the SDK found.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/IBM/sarama"
	"github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
)

type message struct {
	Headers map[string]string `json:"headers"`
	Key     string            `json:"key"`
	Value   []byte            `json:"value"`
}

func read(line []byte) map[string]any {
	var given message
	if err := json.Unmarshal(line, &given); err != nil {
		log.Fatal(err)
	}
	came := sarama.ConsumerMessage{Key: []byte(given.Key), Value: given.Value}
	for name, value := range given.Headers {
		came.Headers = append(came.Headers, &sarama.RecordHeader{Key: []byte(name), Value: []byte(value)})
	}
	event, err := binding.ToEvent(context.Background(), kafka_sarama.NewMessageFromConsumerMessage(&came))
	if err == nil {
		err = event.Validate()
	}
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return map[string]any{
		"id": event.ID(), "source": event.Source(), "type": event.Type(), "subject": event.Subject(), "time": event.Time(),
		"dataschema": event.DataSchema(), "datacontenttype": event.DataContentType(), "data": json.RawMessage(event.Data()),
	}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		if err := out.Encode(read(lines.Bytes())); err != nil {
			log.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}
