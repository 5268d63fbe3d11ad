using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.Serialization;
using Hyperion;
using Hyperion.SerializerFactories;
using Hyperion.ValueSerializers;
using Rcmp.Protocol;

namespace Rcmp.Cluster.Serialization;

/// <summary>Encodes a <see cref="ValueList{T}"/> as a count and its elements. Hyperion's way, its array field, would name the element type
/// with every element, and allocate whatever length a damaged body claims before it reads an element.</summary>
internal sealed class ValueListFactory : ValueSerializerFactory
{
    private static readonly MethodInfo InitializeMethod =
        typeof(ValueListFactory).GetMethod(nameof(Initialize), BindingFlags.NonPublic | BindingFlags.Static)!;

    public override bool CanSerialize(Hyperion.Serializer serializer, Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueList<>);

    public override bool CanDeserialize(Hyperion.Serializer serializer, Type type) => CanSerialize(serializer, type);

    public override ValueSerializer BuildSerializer(
        Hyperion.Serializer serializer, Type type, ConcurrentDictionary<Type, ValueSerializer> typeMapping)
    {
        var result = new ObjectSerializer(type);
        typeMapping.TryAdd(type, result);
        InitializeMethod.MakeGenericMethod(type.GetGenericArguments()[0]).Invoke(null, [serializer, result]);
        return result;
    }

    private static void Initialize<T>(Hyperion.Serializer serializer, ObjectSerializer list)
        where T : notnull
    {
        // Elements are sealed and never null, so none needs its type named.
        var element = serializer.GetSerializerByType(typeof(T));
        list.Initialize(Read, Write);

        void Write(Stream stream, object value, SerializerSession session)
        {
            var items = (ValueList<T>)value;
            Span<byte> count = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(count, items.Count);
            stream.Write(count);
            foreach (var item in items) element.WriteValue(stream, item, session);
        }

        object Read(Stream stream, DeserializerSession session)
        {
            Span<byte> bytes = stackalloc byte[sizeof(int)];
            stream.ReadExactly(bytes);
            var count = BinaryPrimitives.ReadInt32LittleEndian(bytes);
            if (count < 0 || count > stream.Length - stream.Position)
                throw new SerializationException($"A list of {count} elements in {stream.Length - stream.Position} bytes.");
            var items = new T[count];
            for (var i = 0; i < items.Length; i++) items[i] = (T)element.ReadValue(stream, session);
            return ValueList<T>.Of(items.AsSpan());
        }
    }
}
