using System.Buffers.Binary;
using System.Reflection;
using System.Runtime.Serialization;
using System.Text;
using Rcmp.Cluster.Messages;
using Rcmp.Cluster.Serialization;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Cluster;

/// <summary>Bodies that no sender of the pool writes: each is a message of the protocol or a <see cref="SerializationException"/>, and costs no more memory than it has bytes.</summary>
public sealed class HostileMessageTests
{
    private const int Seed = 20261123;

    private static readonly (string Manifest, Type Type)[] Messages = [.. ProtocolTypes.Table.Where(t => t.Manifest is not null).Select(t => (t.Manifest!, t.Type))];

    [Fact]
    public void RandomBytesUnderEveryManifestAreRefusedOrAMessageOfThatManifest()
    {
        var random = new Random(Seed);
        var decoded = 0;
        for (var round = 0; round < 20_000; round++)
        {
            var (manifest, type) = Messages[round % Messages.Length];
            var bytes = new byte[random.Next(0, 200)];
            random.NextBytes(bytes);
            // With a length in front that fits, so that the members are reached.
            if (round % 2 == 0 && bytes.Length >= 4) BinaryPrimitives.WriteInt32LittleEndian(bytes, bytes.Length - 4);
            if (Decode(bytes, manifest) is not { } message) continue;
            Assert.IsType(type, message);
            decoded++;
        }

        Assert.True(decoded > 100, $"only {decoded} were read at all: the members were hardly reached");
    }

    [Fact]
    public void AnUnknownManifestIsRefusedWhateverItIs()
    {
        var random = new Random(Seed);
        var body = PoolSerializer.Encode(Samples.Of(typeof(FreePages)));
        string[] manifests =
        [
            "", "s", "sff", "SF", "sf ", " sf", "\0\0", "System.Object", typeof(FreePages).AssemblyQualifiedName!, new('x', 100_000),
            .. Enumerable.Range(0, 500).Select(_ => new string([(char)random.Next(32, 0x2000), (char)random.Next(32, 0x2000)])),
        ];
        foreach (var manifest in manifests.Where(m => ProtocolTypes.TypeOf(m) is null))
            Assert.Throws<SerializationException>(() => PoolSerializer.Decode(body, manifest));
    }

    /// <summary>The control: types that are encodable, and only not ours.</summary>
    [Fact]
    public void TypesOutsideTheProtocolAreNeitherWrittenNorRead()
    {
        foreach (var foreign in (object[])[new UriBuilder(), "text", 5UL, new PageId(5), new List<int>(), new Foreign(1), new Version(1, 2), Guid.NewGuid()])
        {
            Assert.Null(ProtocolTypes.ManifestOf(foreign.GetType()));
            Assert.Throws<SerializationException>(() => PoolSerializer.Encode(foreign));
        }

        // What is made is what the manifest says, all the way down: only types of the table, and plain values.
        var known = ProtocolTypes.Table.Select(t => t.Type).ToHashSet();
        foreach (var (_, type) in Messages) Assert.All(Reachable(type, []), inner => Assert.True(known.Contains(inner) || IsPlain(inner), $"{inner} in {type.Name}"));
    }

    [Fact]
    public void NothingNestsWithoutEnd()
    {
        // No type of the protocol contains itself, so the depth of a body is that of its declaration.
        foreach (var (_, type) in Messages) Assert.True(Depth(type, []) < 8, $"{type.Name}");
    }

    [Fact]
    public void AnnouncedLengthsAllocateNothing()
    {
        foreach (var (manifest, type) in Messages)
        {
            foreach (var body in Announcements())
            {
                Decode(body, manifest);
                var before = GC.GetAllocatedBytesForCurrentThread();
                Decode(body, manifest);
                var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                // The exception with its trace is the most of it.
                Assert.True(allocated < 200_000, $"{type.Name}: {allocated} bytes for a body of {body.Length}");
            }
        }
    }

    [Fact]
    public void ALargeBodyThatAnnouncesAsManyElementsAsItHasBytesCostsNoMultipleOfItself()
    {
        // A list of reports, each of which takes many bytes on the wire and more in memory; the first is wrong already.
        var body = new byte[PoolSerializer.BodyBytesMax];
        Array.Fill(body, (byte)0xFF);
        var good = PoolSerializer.Encode(new RowsAnswered(default, default, default, default, false, ValueList<RowReport>.Empty, ValueList<RackId>.Empty));
        var at = Array.LastIndexOf(good, (byte)0);
        good.AsSpan(0, at).CopyTo(body);
        BinaryPrimitives.WriteInt32LittleEndian(body, body.Length - 4);
        WriteNumber(body.AsSpan(at), (ulong)(body.Length - at - 8));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<SerializationException>(() => PoolSerializer.Decode(body, "dw"));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void AMemberThatIsNeverNullDoesNotComeAsNull()
    {
        // SessionOpened without its grant: the part's length is -1.
        var opened = PoolSerializer.Encode(Samples.Of(typeof(SessionOpened)));
        var request = PoolSerializer.Encode(new SessionOpened(new RequestId(4), null!));
        Assert.NotEqual(opened, request);
        Assert.Throws<SerializationException>(() => PoolSerializer.Decode(request, "lg"));
        // A text that is not there is an empty one.
        var refused = Assert.IsType<SessionRefused>(PoolSerializer.Decode(PoolSerializer.Encode(new SessionRefused(new RequestId(5), RequestStatus.Mismatch, null!)), "lr"));
        Assert.Equal("", refused.Message);
        // One that may be missing stays so.
        var located = new PageLocated(default, default, default, default, "", ValueList<RackHeatValue>.Empty, null);
        Assert.Equal(located, PoolSerializer.Decode(PoolSerializer.Encode(located), "rl"));
    }

    [Fact]
    public void AnEnumThatDoesNotFitItsTypeIsRefused()
    {
        var bytes = PoolSerializer.Encode(new SessionRefused(new RequestId(5), (RequestStatus)0, ""));
        // Length 4, request 1, status, text: the status grows to a number of more than 32 bits that ends like 0.
        byte[] wide = [.. bytes[..5], 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, .. bytes[6..]];
        BinaryPrimitives.WriteInt32LittleEndian(wide, wide.Length - 4);
        Assert.Throws<SerializationException>(() => PoolSerializer.Decode(wide, "lr"));
    }

    [Fact]
    public void ALimitOfItsOwnHoldsForBothDirections()
    {
        var message = new SessionRefused(new RequestId(5), RequestStatus.Mismatch, new string('x', 3000));
        var failure = Assert.Throws<SerializationException>(() => PoolSerializer.Encode(message, 2000));
        Assert.Contains("rcmp.limits.message-size", failure.Message);
        Assert.Throws<SerializationException>(() => PoolSerializer.Decode(PoolSerializer.Encode(message), "lr", 2000));
        Assert.Equal(message, PoolSerializer.Decode(PoolSerializer.Encode(message, 4000), "lr", 4000));
    }

    private static object? Decode(byte[] bytes, string manifest)
    {
        try
        {
            return PoolSerializer.Decode(bytes, manifest);
        }
        catch (SerializationException)
        {
            return null;
        }
    }

    /// <summary>Small bodies whose first numbers are as large as can be, at every position.</summary>
    private static IEnumerable<byte[]> Announcements()
    {
        for (var at = 4; at < 40; at++)
        {
            var body = new byte[60];
            body.AsSpan(4).Fill(1);
            BinaryPrimitives.WriteInt32LittleEndian(body, body.Length - 4);
            WriteNumber(body.AsSpan(at), at % 2 == 0 ? ulong.MaxValue : int.MaxValue);
            yield return body;
        }

        foreach (var length in (int[])[int.MaxValue, int.MinValue, -2, -1, 1 << 30])
        {
            var body = new byte[60];
            BinaryPrimitives.WriteInt32LittleEndian(body, length);
            yield return body;
        }

        yield return Encoding.UTF8.GetBytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }

    private static void WriteNumber(Span<byte> to, ulong value)
    {
        var at = 0;
        for (; value >= 0x80; value >>= 7) to[at++] = (byte)(value | 0x80);
        to[at] = (byte)value;
    }

    private static bool IsPlain(Type type) => type.IsPrimitive || type == typeof(string) || type == typeof(Guid);

    private static IEnumerable<Type> Parts(Type type) =>
        (type.IsEnum ? [] : type.IsGenericType ? type.GetGenericArguments() : type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public).Select(f => f.FieldType))
        .Select(t => Nullable.GetUnderlyingType(t) ?? t);

    private static HashSet<Type> Reachable(Type type, HashSet<Type> seen)
    {
        if (IsPlain(type) || !seen.Add(type)) return seen;
        foreach (var part in Parts(type)) Reachable(part, seen);
        return seen;
    }

    private static int Depth(Type type, HashSet<Type> above)
    {
        if (IsPlain(type)) return 0;
        Assert.True(above.Add(type), $"{type} contains itself");
        var depth = 1 + Parts(type).Select(part => Depth(part, above)).DefaultIfEmpty(0).Max();
        above.Remove(type);
        return depth;
    }

    private sealed record Foreign(int Value);
}
