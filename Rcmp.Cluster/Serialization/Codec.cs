using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Serialization;
using Rcmp.Protocol;

namespace Rcmp.Cluster.Serialization;

/// <summary>Encodes values of one declared type. Nothing in a body names a type: what is made of it follows from the manifest alone.
/// Uses plain reflection on fields, since generated code costs more at start than it ever saves here.</summary>
internal abstract class Codec
{
    private static readonly ConcurrentDictionary<Type, Codec> Codecs = [];

    public abstract void Write(WireWriter writer, object? value);

    public abstract object? Read(ref WireReader reader);

    public static Codec Of(Type type) => Codecs.GetOrAdd(type, Make);

    private static Codec Make(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying) return new OptionalCodec(Of(underlying));
        if (type.IsEnum) return new EnumCodec(type);
        if (type == typeof(string)) return new TextCodec();
        if (type == typeof(Guid)) return new GuidCodec();
        if (type == typeof(double)) return new DoubleCodec();
        if (type == typeof(bool)) return new NumberCodec(value => (bool)value ? 1UL : 0, number => number != 0);
        if (type == typeof(ushort)) return new NumberCodec(value => (ushort)value, number => checked((ushort)number));
        if (type == typeof(uint)) return new NumberCodec(value => (uint)value, number => checked((uint)number));
        if (type == typeof(ulong)) return new NumberCodec(value => (ulong)value, number => number);
        if (type == typeof(int)) return new SignedCodec(value => (int)value, number => checked((int)number));
        if (type == typeof(long)) return new SignedCodec(value => (long)value, number => number);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueList<>))
            return (Codec)Activator.CreateInstance(typeof(ListCodec<>).MakeGenericType(type.GetGenericArguments()))!;
        if (type.IsValueType && !type.IsPrimitive) return new StructCodec(type);
        if (type is { IsSealed: true, IsClass: true, IsArray: false }) return new RecordCodec(type);
        throw new SerializationException($"{type} cannot be a member of a message.");
    }

    private sealed class NumberCodec(Func<object, ulong> write, Func<ulong, object> read) : Codec
    {
        public override void Write(WireWriter writer, object? value) => writer.Number(write(value!));

        public override object Read(ref WireReader reader) => read(reader.Number());
    }

    private sealed class SignedCodec(Func<object, long> write, Func<long, object> read) : Codec
    {
        public override void Write(WireWriter writer, object? value) => writer.Signed(write(value!));

        public override object Read(ref WireReader reader) => read(reader.Signed());
    }

    private sealed class EnumCodec(Type type) : Codec
    {
        public override void Write(WireWriter writer, object? value) =>
            writer.Signed(Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture));

        public override object Read(ref WireReader reader)
        {
            var number = reader.Signed();
            var value = Enum.ToObject(type, number);
            // A newer release may have more values; but a number that does not fit is cut off to look like one of ours.
            return Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture) == number ? value : throw new SerializationException($"{number} is no {type.Name}.");
        }
    }

    private sealed class TextCodec : Codec
    {
        public override void Write(WireWriter writer, object? value) => writer.Text((string?)value);

        public override object? Read(ref WireReader reader) => reader.Text();
    }

    private sealed class GuidCodec : Codec
    {
        public override void Write(WireWriter writer, object? value) => writer.Guid((Guid)value!);

        public override object Read(ref WireReader reader) => reader.Guid();
    }

    private sealed class DoubleCodec : Codec
    {
        public override void Write(WireWriter writer, object? value) => writer.Fixed64(BitConverter.DoubleToUInt64Bits((double)value!));

        public override object Read(ref WireReader reader) => BitConverter.UInt64BitsToDouble(reader.Fixed64());
    }

    private sealed class OptionalCodec(Codec inner) : Codec
    {
        public override void Write(WireWriter writer, object? value)
        {
            writer.Number(value is null ? 0UL : 1);
            if (value is not null) inner.Write(writer, value);
        }

        public override object? Read(ref WireReader reader) => reader.Number() == 0 ? null : inner.Read(ref reader);
    }

    private sealed class ListCodec<T> : Codec
        where T : notnull
    {
        private const int FirstItems = 64;

        private readonly Codec _element = Of(typeof(T));

        public override void Write(WireWriter writer, object? value)
        {
            var items = (ValueList<T>)value!;
            writer.Number((ulong)items.Count);
            foreach (var item in items.AsSpan()) _element.Write(writer, item);
        }

        public override object Read(ref WireReader reader)
        {
            // An element is larger here than on the wire: the list grows with what has been read, not with what was announced.
            var count = reader.Count();
            var items = new T[Math.Min(count, FirstItems)];
            for (var i = 0; i < count; i++)
            {
                if (i == items.Length) Array.Resize(ref items, Math.Min(count, 2 * items.Length));
                items[i] = (T)(_element.Read(ref reader) ?? throw new SerializationException("A list without one of its elements."));
            }
            return ValueList<T>.Of(items.AsSpan());
        }
    }

    /// <summary>The fields one after the other: identifiers and rows, which never change.</summary>
    private sealed class StructCodec(Type type) : Codec
    {
        private readonly (FieldInfo Field, Codec Codec)[] _fields = FieldsOf(type);

        public override void Write(WireWriter writer, object? value)
        {
            foreach (var (field, codec) in _fields) codec.Write(writer, field.GetValue(value));
        }

        public override object Read(ref WireReader reader)
        {
            var value = RuntimeHelpers.GetUninitializedObject(type);
            foreach (var (field, codec) in _fields) field.SetValue(value, codec.Read(ref reader));
            return value;
        }
    }

    /// <summary>A length and the fields. Members are only ever appended: those that an older sender did not have keep their default, and
    /// those that a newer one has are skipped.</summary>
    private sealed class RecordCodec(Type type) : Codec
    {
        private readonly (FieldInfo Field, Codec Codec)[] _fields = FieldsOf(type);

        public override void Write(WireWriter writer, object? value)
        {
            if (value is null)
            {
                writer.NoBlock();
                return;
            }
            var block = writer.BeginBlock();
            foreach (var (field, codec) in _fields) codec.Write(writer, field.GetValue(value));
            writer.EndBlock(block);
        }

        public override object? Read(ref WireReader reader)
        {
            if (!reader.TryBlock(out var block)) return null;
            var value = RuntimeHelpers.GetUninitializedObject(type);
            foreach (var (field, codec) in _fields)
                field.SetValue(value, block.Remaining > 0 ? codec.Read(ref block) : Missing(field.FieldType));
            return value;
        }

        private static object? Missing(Type member) =>
            member.IsGenericType && member.GetGenericTypeDefinition() == typeof(ValueList<>)
                ? member.GetField(nameof(ValueList<int>.Empty))!.GetValue(null)
                : member == typeof(string) ? "" : member.IsValueType && Nullable.GetUnderlyingType(member) is null ? RuntimeHelpers.GetUninitializedObject(member) : null;
    }

    /// <summary>In the order of declaration, which is that of the constructor's parameters.</summary>
    private static (FieldInfo Field, Codec Codec)[] FieldsOf(Type type)
    {
        var nullability = new NullabilityInfoContext();
        return [.. type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).OrderBy(f => f.MetadataToken).Select(f => (f, OfField(f, nullability)))];
    }

    private static Codec OfField(FieldInfo field, NullabilityInfoContext nullability)
    {
        var codec = Of(field.FieldType);
        return codec is TextCodec or RecordCodec && nullability.Create(field).ReadState == NullabilityState.NotNull ? new PresentCodec(codec) : codec;
    }

    /// <summary>A member that is never null: nobody looks, so it must not come so from the wire. A text that is not there is an empty one.</summary>
    private sealed class PresentCodec(Codec inner) : Codec
    {
        public override void Write(WireWriter writer, object? value) => inner.Write(writer, value);

        public override object Read(ref WireReader reader) =>
            inner.Read(ref reader) ?? (inner is TextCodec ? "" : throw new SerializationException("A part is missing that every sender has."));
    }
}
