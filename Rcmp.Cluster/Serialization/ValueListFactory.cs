using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Runtime.Serialization;
using Hyperion;
using Hyperion.SerializerFactories;
using Hyperion.ValueSerializers;
using Rcmp.Protocol;

namespace Rcmp.Cluster.Serialization;

/// <summary>Encodes a <see cref="ValueList{T}"/> as a count and its elements. Hyperion's way, its array field, would name the element type
/// with every element, and allocate whatever length a damaged body claims before it reads an element.</summary>
/// <param name="knownTypes">As given to the serializer: a list is named by its number among them.</param>
internal sealed class ValueListFactory(IReadOnlyList<Type> knownTypes) : ValueSerializerFactory
{
    public override bool CanSerialize(Hyperion.Serializer serializer, Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueList<>) && knownTypes.Contains(type);

    public override bool CanDeserialize(Hyperion.Serializer serializer, Type type) => CanSerialize(serializer, type);

    public override ValueSerializer BuildSerializer(
        Hyperion.Serializer serializer, Type type, ConcurrentDictionary<Type, ValueSerializer> typeMapping)
    {
        var number = (ushort)knownTypes.TakeWhile(known => known != type).Count();
        var list = typeof(ValueListSerializer<>).MakeGenericType(type.GetGenericArguments()[0]);
        var result = (ValueSerializer)Activator.CreateInstance(list, serializer, number)!;
        typeMapping.TryAdd(type, result);
        return result;
    }
}

/// <summary>For lists of one element type. Elements are sealed and never null, so none needs its type named.</summary>
internal sealed class ValueListSerializer<T>(Hyperion.Serializer serializer, ushort number) : ValueSerializer
    where T : notnull
{
    private readonly ValueSerializer _element = serializer.GetSerializerByType(typeof(T));

    public override void WriteManifest(Stream stream, SerializerSession session)
    {
        Span<byte> manifest = stackalloc byte[1 + sizeof(ushort)];
        manifest[0] = ObjectSerializer.ManifestIndex;
        BinaryPrimitives.WriteUInt16LittleEndian(manifest[1..], number);
        stream.Write(manifest);
    }

    public override void WriteValue(Stream stream, object value, SerializerSession session)
    {
        var items = (ValueList<T>)value;
        Span<byte> count = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(count, items.Count);
        stream.Write(count);
        foreach (var item in items) _element.WriteValue(stream, item, session);
    }

    public override object ReadValue(Stream stream, DeserializerSession session)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        stream.ReadExactly(bytes);
        var count = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        // An element takes at least a byte: a damaged count does not make us allocate.
        if (count < 0 || count > stream.Length - stream.Position)
            throw new SerializationException($"A list of {count} elements in {stream.Length - stream.Position} bytes.");
        var items = new T[count];
        for (var i = 0; i < items.Length; i++) items[i] = (T)_element.ReadValue(stream, session);
        return ValueList<T>.Of(items.AsSpan());
    }

    public override Type GetElementType() => typeof(T);
}
