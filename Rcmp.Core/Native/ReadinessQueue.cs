using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Rcmp.Native;

/// <summary>What a socket is ready for, or of what somebody wants to hear.</summary>
[Flags]
internal enum Readiness : uint
{
    None = 0,

    /// <summary>Bytes or the end of them can be read, a connection accepted.</summary>
    Read = 1,

    /// <summary>Bytes can be written; a connection that was being opened is open, or failed.</summary>
    Write = 2,

    /// <summary>The connection is gone.</summary>
    Broken = 4,
}

/// <summary>A socket that is ready, by the token under which it was added.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct ReadyEvent
{
    public readonly ulong Token;
    public readonly Readiness Readiness;
    private readonly uint _reserved;
}

/// <summary>Tells one thread which of many sockets are ready (epoll). A socket must be non-blocking, never used with .NET's asynchronous calls, and removed before it
/// is closed: a process that is just being started has it still.</summary>
/// <remarks>Sockets may be added, changed and removed by any thread, also while another one waits.</remarks>
internal sealed partial class ReadinessQueue : IDisposable
{
    private const string Library = "rcmpshim";

    private readonly int _queue;
    private readonly int _wake;
    private readonly ReadyEvent[] _events = new ReadyEvent[64];
    private readonly Lock _lock = new();
    private bool _disposed;

    /// <exception cref="Win32Exception">The process may not have more descriptors.</exception>
    public ReadinessQueue() => _queue = Checked(rcmp_ready_open(out _wake));

    /// <param name="socket">Not in this queue yet.</param>
    /// <param name="token">Not 0.</param>
    /// <param name="interest">A broken connection is told in any case.</param>
    public void Add(Socket socket, ulong token, Readiness interest) => Checked(rcmp_ready_add(_queue, (int)socket.Handle, token, interest));

    /// <summary>Does nothing after disposal.</summary>
    public void Change(Socket socket, ulong token, Readiness interest)
    {
        lock (_lock)
        {
            if (!_disposed) Checked(rcmp_ready_change(_queue, (int)socket.Handle, token, interest));
        }
    }

    /// <summary>Does nothing after disposal.</summary>
    public void Remove(Socket socket)
    {
        lock (_lock)
        {
            if (!_disposed) Checked(rcmp_ready_remove(_queue, (int)socket.Handle));
        }
    }

    /// <summary>Waits without end for sockets that are ready, or for a wake. One thread at a time; valid until the next call.</summary>
    public ReadOnlySpan<ReadyEvent> Wait() => _events.AsSpan(0, Checked(rcmp_ready_wait(_queue, _wake, _events, _events.Length, -1)));

    /// <summary>The thread that waits returns soon. Any thread, also after disposal.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            if (!_disposed) Checked(rcmp_ready_wake(_wake));
        }
    }

    /// <summary>Not while a thread waits.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            _ = rcmp_ready_close(_queue, _wake);
        }
    }

    private static int Checked(int value) => value >= 0 ? value : throw new Win32Exception(-value);

    [LibraryImport(Library)]
    private static partial int rcmp_ready_open(out int wake);

    [LibraryImport(Library)]
    private static partial int rcmp_ready_close(int queue, int wake);

    [LibraryImport(Library)]
    private static partial int rcmp_ready_add(int queue, int socket, ulong token, Readiness interest);

    [LibraryImport(Library)]
    private static partial int rcmp_ready_change(int queue, int socket, ulong token, Readiness interest);

    [LibraryImport(Library)]
    private static partial int rcmp_ready_remove(int queue, int socket);

    [LibraryImport(Library)]
    private static partial int rcmp_ready_wait(int queue, int wake, [Out] ReadyEvent[] events, int max, int timeoutMs);

    [LibraryImport(Library)]
    private static partial int rcmp_ready_wake(int wake);
}
