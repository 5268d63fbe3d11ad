using System.Net;
using System.Net.Sockets;
using Rcmp.Fabric;

namespace Rcmp.Tests.Fabric;

/// <summary>A listener that welcomes one connection and then does what the test says.</summary>
internal sealed class FakeOwner : IDisposable
{
    private const int WelcomeBytes = 32;
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly int _pageShift;
    private Socket? _peer;

    public FakeOwner(int pageShift = 12)
    {
        _pageShift = pageShift;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
    }

    public string Address => $"tcp://{_listener.LocalEndPoint}";

    public async Task<FabricCaller> ConnectAsync(ServedMemory served)
    {
        var connecting = TryConnectAsync(TimeSpan.FromSeconds(5));
        Welcome();
        var (status, connection) = await connecting;
        Assert.Equal(FabricConnectStatus.Ok, status);
        return new FabricCaller(served, connection!);
    }

    public Task<(FabricConnectStatus Status, IFabricConnection? Connection)> TryConnectAsync(TimeSpan timeout)
    {
        var record = new Rcmp.Protocol.LinkRecord(1, ServedMemory.Link(), Guid.NewGuid(), Address);
        return Task.Run(() =>
        {
            var status = new NativeFabric().TryConnect(record, 1, ConnectionRole.Client, timeout, out var connection, out _);
            return (status, connection);
        });
    }

    /// <summary>Accepts the one that connects.</summary>
    public void Welcome()
    {
        Accept();
        Receive(64);
        var welcome = new byte[WelcomeBytes];
        BitConverter.TryWriteBytes(welcome, 0x3143_544D_5043_4352UL);
        BitConverter.TryWriteBytes(welcome.AsSpan(12), _pageShift);
        BitConverter.TryWriteBytes(welcome.AsSpan(16), 8UL);
        Send(welcome);
    }

    public void Accept() => _peer = _listener.Accept();

    public byte[] Receive(int count)
    {
        var bytes = new byte[count];
        for (var have = 0; have < count;)
            have += _peer!.Receive(bytes, have, count - have, SocketFlags.None);
        return bytes;
    }

    public void Send(byte[] bytes) => _peer!.Send(bytes);

    public void Close() => _peer!.Dispose();

    public void Dispose()
    {
        _peer?.Dispose();
        _listener.Dispose();
    }
}
