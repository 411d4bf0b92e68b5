package sallyport

import (
	"errors"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// decodeStrict decodes binary protobuf and refuses fields that the contract does not know, at any depth (§5.4).
func decodeStrict(bytes []byte, message proto.Message) error {
	if err := proto.Unmarshal(bytes, message); err != nil {
		return err
	}
	if hasUnknown(message.ProtoReflect()) {
		return errors.New("an unknown field")
	}
	return nil
}

func hasUnknown(message protoreflect.Message) bool {
	unknown := len(message.GetUnknown()) > 0
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() == nil || field.IsMap() {
			return true
		}
		if field.IsList() {
			for i := range value.List().Len() {
				unknown = unknown || hasUnknown(value.List().Get(i).Message())
			}
		} else {
			unknown = unknown || hasUnknown(value.Message())
		}
		return !unknown
	})
	return unknown
}
