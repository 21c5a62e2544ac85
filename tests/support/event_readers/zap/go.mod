module go.uber.org/zap

go 1.23.0
