using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>GET and SET over one connection, by the calling thread alone. Not a client library: those hand answers from thread to thread, which would be measured as the
/// server's time. Requests are made before, and a value that was read stays in the receive buffer: nothing but the server and the sockets is left to measure.</summary>
internal sealed class RespClient : IDisposable
{
    private static readonly byte[] Crlf = "\r\n"u8.ToArray();

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 10_000 };
    private byte[] _in = new byte[1 << 10];

    public RespClient(EndPoint server)
    {
        try
        {
            _socket.Connect(server);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    /// <summary>A request to get a value.</summary>
    public static byte[] GetRequest(string key) => Encoding.ASCII.GetBytes($"*2\r\n$3\r\nGET\r\n${key.Length}\r\n{key}\r\n");

    /// <summary>A request to set it.</summary>
    public static byte[] SetRequest(string key, ReadOnlySpan<byte> value) =>
        [.. Encoding.ASCII.GetBytes($"*3\r\n$3\r\nSET\r\n${key.Length}\r\n{key}\r\n${value.Length.ToString(CultureInfo.InvariantCulture)}\r\n"), .. value, .. Crlf];

    public void Ping()
    {
        Send("PING\r\n"u8);
        ReadLine("+PONG");
    }

    public void Set(ReadOnlySpan<byte> request)
    {
        Send(request);
        ReadLine("+OK");
    }

    /// <summary>The value, which stays as it is until the next call.</summary>
    public ReadOnlySpan<byte> Get(ReadOnlySpan<byte> request)
    {
        Send(request);
        var (line, have) = ReceiveLine();
        if (_in[0] != '$' || !int.TryParse(Encoding.ASCII.GetString(_in, 1, line - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var length)) throw Unexpected(line);
        var start = line + Crlf.Length;
        ReceiveUntil(start + length + Crlf.Length, have);
        return _in.AsSpan(start, length);
    }

    private void Send(ReadOnlySpan<byte> request)
    {
        while (!request.IsEmpty) request = request[_socket.Send(request)..];
    }

    private void ReadLine(string expected)
    {
        var (line, _) = ReceiveLine();
        if (Encoding.ASCII.GetString(_in, 0, line) != expected) throw Unexpected(line);
    }

    private (int Line, int Have) ReceiveLine()
    {
        var have = 0;
        while (true)
        {
            have = ReceiveUntil(have + 1, have);
            var line = _in.AsSpan(0, have).IndexOf(Crlf);
            if (line >= 0) return (line, have);
        }
    }

    private int ReceiveUntil(int bytes, int have)
    {
        if (_in.Length < bytes) Array.Resize(ref _in, Math.Max(bytes, 2 * _in.Length));
        while (have < bytes)
        {
            var got = _socket.Receive(_in.AsSpan(have));
            if (got == 0) throw new IOException("The server closed the connection.");
            have += got;
        }

        return have;
    }

    private InvalidDataException Unexpected(int line) => new($"The server answered '{Encoding.ASCII.GetString(_in, 0, Math.Min(line, 80))}'.");

    public void Dispose() => _socket.Dispose();
}
