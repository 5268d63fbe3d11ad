using System.Buffers.Binary;
using System.Net.Sockets;
using Rcmp.Fabric;

namespace Rcmp.Tests.Fabric;

/// <summary>A tcp peer that speaks the wire format by hand, and so can break it.</summary>
internal sealed class RawPeer : IDisposable
{
    private const ulong Magic = 0x3143_544D_5043_4352;
    private readonly ServedMemory _served;
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    public RawPeer(ServedMemory served, bool greet = true, ConnectionRole role = ConnectionRole.Client)
    {
        _served = served;
        var port = int.Parse(served.Server.Address.AsSpan(served.Server.Address.LastIndexOf(':') + 1));
        _socket.Connect("127.0.0.1", port);
        _socket.ReceiveTimeout = 5000;
        _socket.SendTimeout = 5000;
        if (!greet)
            return;
        served.Server.AcceptRegistration(ServedMemory.Link());
        _socket.Send(Greeting(role));
        var welcome = Receive(32);
        Assert.NotNull(welcome);
        Assert.Equal(0u, BinaryPrimitives.ReadUInt32LittleEndian(welcome.AsSpan(8)));
    }

    public Socket Socket => _socket;

    public byte[] Greeting(ConnectionRole role = ConnectionRole.Client)
    {
        var link = ServedMemory.Link();
        var bytes = new byte[64];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        _served.Options.Key.TryWriteBytes(bytes.AsSpan(8));
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(24), ServedMemory.NewName());
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(32), link.Registration);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(40), link.Holder.Generation.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(48), link.Owner.Generation.Value);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(56), link.Holder.Rack.Value);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(58), link.Owner.Rack.Value);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(60), 0x5243);
        bytes[62] = 1;
        bytes[63] = (byte)role;
        return bytes;
    }

    public byte[] Request(FabricOp op, int page, uint offset, uint length, Guid? key = null, uint frame = 0)
    {
        var bytes = new byte[64];
        (key ?? _served.Options.Key).TryWriteBytes(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(16), (uint)op);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(20), length);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(24), (ulong)page);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(32), (uint)page);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(36), offset);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(44), frame);
        return bytes;
    }

    public void Send(params byte[][] pieces)
    {
        foreach (var piece in pieces)
            _socket.Send(piece);
    }

    /// <summary>The status of the next answer, or null if the server has closed.</summary>
    public FabricStatus? Answer()
    {
        var answer = Receive(16);
        return answer is null ? null : (FabricStatus)BinaryPrimitives.ReadUInt32LittleEndian(answer.AsSpan(4));
    }

    /// <summary>Exactly so many bytes, or null if the server has closed before.</summary>
    public byte[]? Receive(int count)
    {
        var bytes = new byte[count];
        try
        {
            for (var have = 0; have < count;)
            {
                var got = _socket.Receive(bytes, have, count - have, SocketFlags.None);
                if (got == 0)
                    return null;
                have += got;
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.ConnectionAborted)
        {
            return null;
        }

        return bytes;
    }

    public void Dispose() => _socket.Dispose();
}
